"""How denoisers are shown: their training, what they are worth, and one image before and after."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from counting import counted
from denoising.noise import Noise
from denoising.progress import DenoiserProgress
from denoising.settings import DenoiserSettings, name_of
from errors import UserError
from evaluation.plots import plot_image_sheet
from terminal import shows_colours
from unused_path import new_folder
from views import picture_text, remarks, tables
from views.progress import make_progress_view

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from denoisers.denoising_findings import Comparison, DenoisingFindings, Finding, RestoredImage

LINES = 5
PICTURE_WIDTH = 28  # characters an image
HEADINGS = ("MSE", "PSNR", "SSIM", "Precision", "Recall", "F1", "Accuracy")
# Widths in characters, with the space between columns.
NAMES_WIDTH = 18
COLUMN_WIDTH = 11
WHOLE_TABLE = 78


def progress_line(progress: DenoiserProgress) -> str:
    """Where a training stands, in words that keep their places while the numbers change.

    Args:
        progress: of a training.

    Returns:
        One line.
    """
    width = len(str(progress.steps))
    return (
        f"step {progress.step:>{width}}/{progress.steps} loss {progress.loss:7.4f} "
        f"{remarks.duration(progress.seconds_left)} left"
    )


@contextlib.contextmanager
def make_denoise_view(console: Console) -> Iterator[Callable[[DenoiserProgress], None]]:
    """A view that fits the console: a bar at a terminal, lines in a pipe.

    Args:
        console: where it is shown.

    Yields:
        What is told each progress; when it is left, nothing moves any more.
    """
    with make_progress_view(console, progress_line, LINES) as show:
        yield show


TESTS = (
    "Two denoisers on the same images: mean difference of MSE with its 95 % interval (Student), p "
    "of Wilcoxon's signed-rank test; p of McNemar's exact test for what is read rightly."
)


def findings_tables(found: DenoisingFindings, width: int) -> list[Table]:
    """Errors, ink and accuracy of noisy and of restored images, noise by noise.

    Args:
        found: the findings.
        width: of the terminal, in characters.

    Returns:
        One table, or several with a part of the columns each where the terminal is narrow.
    """
    each_table = len(HEADINGS)
    if width < WHOLE_TABLE:
        each_table = max(1, (width - NAMES_WIDTH) // COLUMN_WIDTH)
    return [
        _findings_table(found, slice(start, start + each_table))
        for start in range(0, len(HEADINGS), each_table)
    ]


def _findings_table(found: DenoisingFindings, columns: slice) -> Table:
    table = tables.plain_table()
    table.add_column("Images")
    for heading in HEADINGS[columns]:
        table.add_column(heading, justify="right", no_wrap=True)
    if found.clean_accuracy is not None:
        clean = f"{found.clean_accuracy:.2%}"
        table.add_row("clean", *(*[""] * (len(HEADINGS) - 1), clean)[columns])
    for by_noise in found.by_noise:
        table.add_section()
        table.add_row(by_noise.noise.name, *_cells(by_noise.noisy)[columns])
        for finding in by_noise.restored:
            table.add_row(f"  {finding.restorer}", *_cells(finding)[columns])
    return table


def _cells(finding: Finding) -> tuple[str, ...]:
    measures = finding.measures
    return (
        f"{measures.mse:.4f}",
        f"{measures.psnr:.2f}",
        f"{measures.ssim:.3f}",
        f"{measures.ink_precision:.3f}",
        f"{measures.ink_recall:.3f}",
        f"{measures.ink_f1:.3f}",
        "" if finding.accuracy is None else f"{finding.accuracy:.2%}",
    )


def findings_notes(found: DenoisingFindings, told_by: str) -> str:
    """What the table's columns are, and how the two best denoisers compare.

    Args:
        found: the findings.
        told_by: who tells 'conditional' the class, such as "entry 3".

    Returns:
        Lines of text.
    """
    lines = [
        f"On {counted(found.images, 'test image')}. MSE of greys from 0 to 1, PSNR in dB; "
        "precision, recall and F1 of the pixels with ink.",
    ]
    names = [finding.restorer or "" for finding in found.by_noise[0].restored]
    if any(name.endswith("conditional") for name in names):
        lines.append(f"'conditional' is told the character by {told_by}.")
    if found.clean_accuracy is None:
        lines.append("There is no network to read them, and so no accuracy.")
    if any(one.comparison is not None and one.comparison.errors.can_tell for one in found.by_noise):
        lines.append(TESTS)
    for by_noise in found.by_noise:
        if by_noise.comparison is not None:
            lines.append(f"{by_noise.noise.name}: {_compared(by_noise.comparison)}")
    return "\n".join(lines)


def unlearnt_noise(
    denoisers: Sequence[DenoiserSettings], steps: Sequence[int], noises: Sequence[Noise]
) -> list[str]:
    """A sentence for each noise that some denoisers did not learn to take away.

    Args:
        denoisers: settings.
        steps: that each learnt from; 0 where it is not trained.
        noises: that are asked for.

    Returns:
        Sentences, none where all were learnt.
    """
    sentences = []
    for noise in noises:
        strangers = [
            name_of(number, settings)
            for number, (settings, done) in enumerate(zip(denoisers, steps, strict=True))
            if done and not settings.learns(noise)
        ]
        if strangers:
            sentences.append(f"{noise.name} is not what {', '.join(strangers)} learnt from.")
    return sentences


def unfinished(denoisers: Sequence[DenoiserSettings], steps: Sequence[int]) -> list[str]:
    """A sentence for each denoiser that learnt from fewer steps than its settings ask for.

    Args:
        denoisers: settings.
        steps: that each learnt from; 0 where it is not trained.

    Returns:
        Sentences, none where all are finished.
    """
    sentences = []
    for number, (settings, done) in enumerate(zip(denoisers, steps, strict=True)):
        name = name_of(number, settings)
        if not done:
            sentences.append(f"{name} is not trained, and left out.")
        elif done < settings.steps:
            sentences.append(
                f"{name} learnt from {done:,} of {counted(settings.steps, 'step')}; "
                "it can be trained again to its end."
            )
    return sentences


def untold(denoisers: Sequence[DenoiserSettings]) -> list[str]:
    """What was left out where nothing tells the class of a picture: a sentence, or none.

    Args:
        denoisers: those that were asked for.

    Returns:
        Sentences.
    """
    names = [
        name_of(number, settings)
        for number, settings in enumerate(denoisers)
        if settings.needs_class
    ]
    if not names:
        return []
    return [
        f"The picture is not restored by {', '.join(names)}: there is no network to read it first."
    ]


def _compared(comparison: Comparison) -> str:
    errors, accuracy = comparison.errors, comparison.accuracy
    words = f"{comparison.one} against {comparison.other}: MSE {errors.difference:+.5f}"
    if errors.can_tell:
        words += f" ({errors.low:+.5f} to {errors.high:+.5f}, p {_p_value(errors.p_value)})"
    if accuracy is not None:
        words += (
            f"; read rightly only after the first {accuracy.only_one}, only after the second "
            f"{accuracy.only_other}"
        )
        if errors.can_tell:
            words += f" (p {_p_value(accuracy.p_value)})"
    if not errors.can_tell:
        words += f"; {counted(errors.images, 'image')} cannot tell a difference from chance"
    return words


def _p_value(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def restored_image(restored: RestoredImage, width: int) -> str:
    """One image before and after, and what it was taken for each time.

    Args:
        restored: the images.
        width: of the terminal, in characters.

    Returns:
        Lines of text.
    """
    each_row = max(1, (width - 2) // PICTURE_WIDTH)
    lines = []
    for start in range(0, len(restored.seen), each_row):
        row = restored.seen[start : start + each_row]
        titles = (f"{seen.name[: PICTURE_WIDTH - 1]:{PICTURE_WIDTH}}" for seen in row)
        lines.append(f" {''.join(titles)}".rstrip())
        images = np.stack([seen.image for seen in row])
        lines.append(picture_text.pictures(images, shows_colours()))
    longest = max(len(seen.name) for seen in restored.seen)
    for seen in restored.seen:
        if seen.likeliest:
            first = seen.likeliest[0]
            verdict = ""
            if restored.label is not None and first.character != restored.label:
                verdict = f" (wrong, it is {restored.label})"
            lines.append(
                f"  {seen.name:{longest}}  read as {first.character} "
                f"{first.probability:7.2%}{verdict}"
            )
    return "\n".join(lines)


def write_sheets(found: DenoisingFindings, restored: RestoredImage | None, folder: Path) -> Path:
    """Write clean, noisy and restored images below each other as PNG, a file for each noise.

    Args:
        found: the findings.
        restored: one image that gets a file of its own, `restored.png`; None for none.
        folder: in which a new folder is made; nothing that was there is written over.

    Returns:
        The new folder.

    Raises:
        UserError: it cannot be written; nothing is left of it.
    """
    try:
        path = new_folder(folder / "denoised")
    except OSError as error:
        raise _not_written(folder / "denoised", error) from error
    try:
        for by_noise in found.by_noise:
            findings = (by_noise.noisy, *by_noise.restored)
            name = by_noise.noise.name
            plot_image_sheet(
                [found.examples, *(finding.examples for finding in findings)],
                ["clean", *(finding.restorer or "noisy" for finding in findings)],
                f"{name}: noisy and restored test images",
                path / f"{name.replace(' ', '-')}.png",
            )
        if restored is not None:
            plot_image_sheet(
                [seen.image[np.newaxis] for seen in restored.seen],
                [seen.name for seen in restored.seen],
                _before_and_after(restored),
                path / "restored.png",
            )
    except BaseException as error:  # Ctrl-C, too: half of the pictures would pass for all
        shutil.rmtree(path, ignore_errors=True)
        if isinstance(error, OSError):
            raise _not_written(path, error) from error
        raise
    return path


def _before_and_after(restored: RestoredImage) -> str:
    if restored.label is not None:  # a character of the data set, which was given the noise
        return f"{restored.noise.name}: before and after"
    return f"before and after, as said to have {restored.noise.name}"


def _not_written(path: Path, error: OSError) -> UserError:
    return UserError(f"the pictures cannot be written to {path}: {error.strerror or error}")
