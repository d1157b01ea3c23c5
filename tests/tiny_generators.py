"""Settings of generators that are trained in a moment."""

from gan.settings import GanSettings

TINY = GanSettings(
    network="mlp",
    generator_widths=(8,),
    discriminator_widths=(8,),
    latent_size=4,
    loss="hinge",
    steps=50,
    batch_size=4,
    generator_learning_rate=0.01,
    discriminator_learning_rate=0.01,
)
