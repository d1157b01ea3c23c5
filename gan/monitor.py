"""Pictures of a generator's training: what it drew over time, and the players' losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluation.figures import new_figure, write_figure
from evaluation.grey_pictures import enlarged, write_grey
from image_arrays import Images

FRAME_MILLISECONDS = 350
LAST_FRAME_MILLISECONDS = 2000
ENLARGED = 2  # pixels of the picture a pixel of an image
GAP = 2


def grid(images: Images, columns: int) -> Images:
    """Lay images out side by side, ink dark on white paper.

    Args:
        images: uint8 (N, H, W), ink 255 on paper 0; N at least 1.
        columns: images a row.

    Returns:
        uint8 (rows * (H + 2), columns * (W + 2)), ink 0 on paper 255.
    """
    count, height, width = images.shape
    rows = -(-count // columns)
    filled = np.zeros((rows * columns, height + GAP, width + GAP), np.uint8)
    filled[:count, :height, :width] = images
    tiled = filled.reshape(rows, columns, height + GAP, width + GAP).swapaxes(1, 2)
    return 255 - tiled.reshape(rows * (height + GAP), columns * (width + GAP))


def write_grid_over_time(previews: Images, path: Path) -> None:
    """Write what was drawn over time: one row a preview, the same latent vectors below each other.

    Args:
        previews: uint8 (F, N, 28, 28), F at least 1.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    frames, images = previews.shape[:2]
    sheet = grid(previews.reshape(frames * images, 28, 28), images)
    write_grey(enlarged(sheet, ENLARGED), path)


def write_animation(previews: Images, path: Path) -> None:
    """Write what was drawn over time as an animated GIF, one frame a preview.

    Args:
        previews: uint8 (F, N, 28, 28), F at least 1.
        path: GIF file to write.

    Raises:
        OSError: the file cannot be written.
    """
    from PIL import Image

    columns = int(np.ceil(np.sqrt(previews.shape[1])))
    grids = [grid(images, columns) for images in previews]
    frames = [Image.fromarray(enlarged(picture, ENLARGED)) for picture in grids]
    frames[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[FRAME_MILLISECONDS] * (len(frames) - 1) + [LAST_FRAME_MILLISECONDS],
        loop=0,
    )


def plot_losses(losses: npt.NDArray[np.float64], title: str, path: Path) -> None:
    """Plot both players' losses by step.

    Args:
        losses: float64 (K, 3): step, discriminator's loss, generator's loss.
        title: line above the plot.
        path: PNG file to write.

    Raises:
        OSError: the file cannot be written.
    """
    figure = new_figure(7, 4)
    axes = figure.add_subplot()
    alone = "o" if len(losses) == 1 else None  # no line goes through a single point
    for column, name in ((1, "discriminator"), (2, "generator")):
        axes.plot(losses[:, 0], losses[:, column], label=name, marker=alone)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_title(title, parse_math=False)
    axes.legend()
    write_figure(figure, path)
