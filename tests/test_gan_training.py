"""Tests of training a generator, and of how the training is shown."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console

from gan.course import PREVIEW_IMAGES, TrainedGan
from gan.drawing import build_generator, draw, draw_latent, flat_weights, set_flat_weights
from gan.games import STEPS_A_CALL, adversarial_gan, make_strategy
from gan.progress import FeatureProgress, GanProgress, Progress
from gan.settings import STRATEGIES, GanSettings, Strategy, weight_count
from gan.training import PREVIEWS, train_generator
from tests import tiny_generators
from views.gan import PREVIEWS_SHOWN, make_gan_view, progress_line

Images = npt.NDArray[np.uint8]
TINY = replace(tiny_generators.TINY, steps=6)
CONVOLUTIONAL = replace(
    TINY, network="convolutional", generator_widths=(3, 2, 2), discriminator_widths=(2, 2)
)
LONG_STEPS = 13 * STEPS_A_CALL
Train = Callable[..., TrainedGan]


def bars(count: int = 60) -> Images:
    """Images with a bar somewhere on paper with specks."""
    random = np.random.default_rng(5)
    images = random.integers(0, 40, (count, 28, 28), dtype=np.uint8)
    for image in images:
        column = random.integers(4, 20)
        image[4:24, column : column + 4] = 255
    return images


@pytest.fixture(scope="module")
def trained() -> TrainedGan:
    return train_generator("keras", bars(), TINY, seed=3)


@pytest.fixture(scope="module")
def shown() -> list[GanProgress]:
    """What `long_training` told."""
    return []


@pytest.fixture(scope="module")
def long_training(shown: list[GanProgress]) -> TrainedGan:
    settings = replace(TINY, steps=LONG_STEPS)
    return train_generator("keras", bars(), settings, seed=3, show=shown.append)


# ------------------------------------------------------------------------- what is learnt


def check(result: TrainedGan, settings: GanSettings) -> None:
    """A whole training: finite weights of the right number, and losses."""
    assert result.weights.dtype == np.float16
    assert result.weights.shape == (weight_count(settings),)
    assert np.isfinite(result.weights).all() and np.isfinite(result.losses).all()
    assert result.steps == settings.steps
    assert result.seconds > 0


@pytest.mark.parametrize("kind", ["keras", "keras_adversarial"])
@pytest.mark.parametrize("settings", [TINY, CONVOLUTIONAL], ids=["mlp", "convolutional"])
@pytest.mark.thorough
def test_both_generators_train_both_networks(kind: str, settings: GanSettings) -> None:
    check(train_generator(kind, bars(), settings, seed=1), settings)


@pytest.mark.parametrize("type_", STRATEGIES)
def test_every_adversarial_optimizer_trains(type_: str) -> None:
    strategy = Strategy(type_, discriminator_depth=1)
    settings = replace(TINY, adversarial_optimizer=strategy, spectral_normalization=True)
    check(train_generator("keras_adversarial", bars(), settings, seed=1), settings)


@pytest.mark.parametrize("kind", ["keras", "keras_adversarial"])
def test_wasserstein_trains_with_its_penalty(kind: str) -> None:
    settings = replace(TINY, loss="wasserstein", gradient_penalty=10.0)
    check(train_generator(kind, bars(), settings, seed=1), settings)


def test_fewer_images_than_a_batch_are_enough() -> None:
    check(train_generator("keras", bars(1), TINY, seed=1), TINY)


def test_the_same_seed_gives_the_same_generator(trained: TrainedGan) -> None:
    again = train_generator("keras", bars(), TINY, seed=3)
    assert again.weights.tobytes() == trained.weights.tobytes()
    assert np.array_equal(again.previews, trained.previews)
    assert np.array_equal(again.losses, trained.losses)


def test_the_same_seed_gives_the_same_generator_among_players() -> None:
    one, other = (train_generator("keras_adversarial", bars(), TINY, seed=3) for _ in range(2))
    assert one.weights.tobytes() == other.weights.tobytes()


@pytest.mark.thorough
def test_another_seed_or_other_images_give_another_generator(trained: TrainedGan) -> None:
    for images, seed in ((bars(), 4), (255 - bars(), 3)):
        other = train_generator("keras", images, TINY, seed=seed)
        assert not np.array_equal(other.weights, trained.weights)


def test_as_many_steps_are_learnt_from_as_were_asked_for() -> None:
    """Also where they are no whole number of the steps that run inside one call."""
    fewer = train_generator("keras", bars(), replace(TINY, steps=STEPS_A_CALL + 1), seed=3)
    more = train_generator("keras", bars(), replace(TINY, steps=2 * STEPS_A_CALL), seed=3)
    assert fewer.steps == STEPS_A_CALL + 1
    assert not np.array_equal(fewer.weights, more.weights)


def test_more_steps_draw_more_like_the_images(long_training: TrainedGan) -> None:
    mean = bars().mean(axis=0)
    first, last = (long_training.previews[row].mean(axis=0) for row in (0, -1))
    assert np.abs(last - mean).mean() < np.abs(first - mean).mean()


# ------------------------------------------------------------------------- what is told


def test_losses_and_previews_are_kept_as_the_training_goes(long_training: TrainedGan) -> None:
    steps = list(range(STEPS_A_CALL, LONG_STEPS + 1, STEPS_A_CALL))
    assert long_training.losses.shape == (13, 3) and long_training.losses.dtype == np.float64
    assert long_training.losses[:, 0].tolist() == steps
    assert long_training.previews.shape == (PREVIEWS, PREVIEW_IMAGES, 28, 28)
    assert long_training.previews.dtype == np.uint8
    assert long_training.preview_steps == tuple(steps[1:])
    assert not np.array_equal(long_training.previews[0], long_training.previews[-1])


def test_each_call_tells_where_the_training_stands(
    shown: list[GanProgress], long_training: TrainedGan
) -> None:
    rows = [(one.step, one.discriminator_loss, one.generator_loss) for one in shown]
    assert np.array_equal(np.array(rows), long_training.losses)
    assert {one.steps for one in shown} == {LONG_STEPS}
    assert shown[-1].seconds_left == 0 and all(one.seconds_left > 0 for one in shown[:-1])
    previews = [one.preview for one in shown if one.preview is not None]
    assert np.array_equal(np.array(previews), long_training.previews)


def test_a_short_training_has_a_preview_of_its_end(trained: TrainedGan) -> None:
    assert trained.losses.shape == (1, 3)
    assert (trained.previews.shape, trained.preview_steps) == ((1, 16, 28, 28), (6,))


def test_a_stop_keeps_what_was_learnt(shown: list[GanProgress], long_training: TrainedGan) -> None:
    asked: list[bool] = []

    def stop_at_the_second_time() -> bool:
        asked.append(True)
        return len(asked) == 2

    settings = replace(TINY, steps=LONG_STEPS)
    stopped = train_generator("keras", bars(), settings, 3, should_stop=stop_at_the_second_time)
    assert stopped.steps == 2 * STEPS_A_CALL < LONG_STEPS
    assert np.array_equal(stopped.losses, long_training.losses[:2])
    assert np.array_equal(stopped.previews, long_training.previews[:1])
    assert not np.array_equal(stopped.weights, long_training.weights)
    assert np.isfinite(stopped.weights).all()


# ------------------------------------------------------------------------- drawing


@pytest.mark.parametrize("which", ["trained", "long_training"])
def test_half_precision_draws_the_same(which: str, request: pytest.FixtureRequest) -> None:
    result: TrainedGan = request.getfixturevalue(which)
    network = build_generator(TINY)
    set_flat_weights(network, result.weights)
    drawn = draw(network, draw_latent(PREVIEW_IMAGES, 4, np.random.default_rng(3)))
    assert np.abs(drawn.astype(int) - result.previews[-1]).max() <= 1


@pytest.mark.parametrize("settings", [TINY, CONVOLUTIONAL], ids=["mlp", "convolutional"])
def test_weights_in_a_row_go_back_where_they_were(settings: GanSettings) -> None:
    one, other = build_generator(settings), build_generator(settings)
    set_flat_weights(one, np.arange(weight_count(settings), dtype=np.float32) / 4096)
    set_flat_weights(other, flat_weights(one))
    assert all(
        np.array_equal(a.astype(np.float16), b)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )
    assert flat_weights(one)[:3].tolist() == [0, 1 / 4096, 2 / 4096]


@pytest.mark.parametrize("shape", [(0,), (weight_count(TINY) - 1,), (weight_count(TINY), 1)])
def test_weights_of_another_network_are_refused(shape: tuple[int, ...]) -> None:
    network = build_generator(TINY)
    with pytest.raises(ValueError, match=f"{weight_count(TINY):,} weights"):
        set_flat_weights(network, np.zeros(shape, np.float16))


def test_many_drawings_are_drawn_in_parts() -> None:
    network = build_generator(TINY)
    latent = draw_latent(600, 4, np.random.default_rng(0))
    drawn = draw(network, latent)
    assert drawn.shape == (600, 28, 28) and drawn.dtype == np.uint8
    assert np.abs(drawn[590:].astype(int) - draw(network, latent[590:])).max() <= 1


def test_paper_is_0_and_ink_255() -> None:
    latent = np.array([[-50.0], [0.0], [50.0]], np.float32)
    network = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(784, activation="tanh", kernel_initializer="ones"),
            keras.layers.Reshape((28, 28, 1)),
        ]
    )
    assert [np.unique(image).tolist() for image in draw(network, latent)] == [[0], [128], [255]]


# ------------------------------------------------------------------------- players


def test_a_game_has_two_players_with_a_learning_rate_each() -> None:
    settings = replace(TINY, discriminator_learning_rate=0.02)
    generator = build_generator(settings)
    discriminator = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    discriminator.add(keras.layers.Dense(1))

    class Nothing:
        def update(self) -> None: ...

    average: Any = Nothing()
    game = adversarial_gan(generator, discriminator, average, settings, seed=1)
    rates = {
        player.name: round(float(player.optimizer.learning_rate), 6) for player in game.players
    }
    assert rates == {"discriminator": 0.02, "generator": 0.01}


@pytest.mark.parametrize("type_", STRATEGIES)
def test_every_strategy_names_its_adversarial_optimizer(type_: str) -> None:
    made = make_strategy(Strategy(type_))
    assert type(made).__name__.lower() == type_


def test_the_settings_of_a_strategy_reach_it() -> None:
    made: Any = make_strategy(Strategy("alternating", reverse=True))
    assert made.reverse is True
    made = make_strategy(Strategy("scheduled", schedule=("generator",)))
    assert made.schedule == ("generator",)
    unrolled = Strategy("unrolled", discriminator_depth=2, generator_depth=3, step_size=0.5)
    made = make_strategy(unrolled)
    assert (made.depths, made.step_size) == ({"discriminator": 2, "generator": 3}, 0.5)
    made = make_strategy(Strategy("extragradient", step_size=0.25))
    assert made.step_size == 0.25
    made = make_strategy(Strategy("consensus", weight=0.75))
    assert made.weight == 0.75


# ------------------------------------------------------------------------- how it is shown


def progress(step: int, steps: int = 1800, preview: Images | None = None) -> GanProgress:
    return GanProgress(step, steps, 1.25, -12.5 if step % 2 else 0.125, 61.0, preview)


def test_a_line_keeps_its_places_while_the_numbers_change() -> None:
    line = progress_line(progress(25))
    assert line == "step   25/1800 discriminator loss   1.250 generator loss -12.500 1:01 left"
    assert len({len(progress_line(progress(step))) for step in (1, 22, 333, 1800)}) == 1


def reading(step: int, steps: int = 6000) -> FeatureProgress:
    return FeatureProgress(step, steps, 2.5 if step % 2 else 0.125, step / steps, 61.0)


def test_a_line_while_a_network_learns_to_read_keeps_its_places_too() -> None:
    line = progress_line(reading(20))
    assert line == "learning to read, step   20/6000 loss   0.125 accuracy   0.33% 1:01 left"
    assert len({len(progress_line(reading(step))) for step in (1, 22, 333, 6000)}) == 1


def test_a_pipe_gets_a_line_for_each_tenth_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    with make_gan_view(Console(file=io.StringIO(), force_terminal=False)) as show:
        for step in range(20, 6001, 20):
            show(reading(step))
        for step in range(25, 1801, 25):
            show(progress(step))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[0].startswith("  learning to read, step  600/6000 ")
    assert lines[9].startswith("  learning to read, step 6000/6000 ")
    assert lines[10].startswith("  step  200/1800 ") and lines[19].startswith("  step 1800/1800 ")


def on_a_terminal(*told: Progress) -> str:
    """What a terminal gets; of the bar, what it showed at the end."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=120, height=40, color_system=None)
    with make_gan_view(console) as show:
        for one in told:
            show(one)
    return written.getvalue()


def test_a_terminal_gets_a_bar_while_a_network_learns_to_read() -> None:
    text = on_a_terminal(*(reading(step) for step in range(600, 6001, 600)))
    assert "learning to read, step 6000/6000" in text and "100.00%" in text


def test_the_bar_goes_on_with_the_drawing() -> None:
    picture = np.full((16, 28, 28), 255, np.uint8)
    text = on_a_terminal(reading(6000), progress(900, preview=picture))
    assert "step  900/1800" in text and "Step 900:" in text and "Step 6000:" not in text


def test_a_pipe_gets_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with make_gan_view(Console(file=io.StringIO(), force_terminal=False)) as show:
        for step in range(25, 1801, 25):
            show(progress(step, preview=np.zeros((16, 28, 28), np.uint8)))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("  step  200/1800 ") and lines[-1].startswith("  step 1800/1800 ")


def test_a_short_training_gets_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    with make_gan_view(Console(file=io.StringIO(), force_terminal=False)) as show:
        show(progress(6, 6))
    assert capsys.readouterr().out.splitlines() == [f"  {progress_line(progress(6, 6))}"]


@pytest.mark.parametrize(("width", "drawings"), [(20, 1), (62, 2), (300, 4)])
def test_a_terminal_gets_a_bar_and_previews_that_fit(width: int, drawings: int) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=width, height=40, color_system=None)
    with make_gan_view(console) as show:
        for step in range(150, 1801, 150):
            show(progress(step, preview=np.full((16, 28, 28), 255, np.uint8)))
            show(progress(step))
    lines = written.getvalue().replace("\r", "\n").splitlines()
    headings = [line for line in lines if re.search(r"Step \d+:$", line)]
    assert len(headings) == PREVIEWS_SHOWN and headings[-1].endswith("Step 1800:")
    if width > 30:
        inked = [line for line in lines if line.startswith("|")]
        assert len(inked) == 14 * PREVIEWS_SHOWN
        assert all(line.count("@") == 28 * drawings for line in inked)
