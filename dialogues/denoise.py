"""The dialogue of `Denoise`: denoisers are trained, judged, and restore an example."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from counting import counted
from data_formats.picture import FIRST_OF_SEVERAL
from data_formats.problems import one_line
from denoising.noise import parse_noises
from denoising.settings import DenoiserSettings, read_denoiser_settings
from dialogues.common import Dialogue, stop_on_interrupt, with_status
from errors import UserError
from sentences import sentence
from terminal import as_path, ask_yes_or_no, make_console, quoted, say, shown_path
from views import remarks

if TYPE_CHECKING:
    from denoising.noise import Noise

DEFAULT_NOISE = "gaussian 0.2 0.6 1.0"


class DenoiseDialogue(Dialogue):
    """Asks which denoisers, which noise and which example; trains what is missing, and shows."""

    def denoise(self) -> None:
        """`Denoise`: train denoisers, show what they are worth, and restore an example.

        Raises:
            UserError: an answer is wrong, or something cannot be written.
        """
        settings_file = self._settings_files.ask_for("denoiser")
        answer = self._asker.ask(f"Noise, of any kinds and amounts [{DEFAULT_NOISE}]:")
        example = self._asker.ask("Character, or noisy picture, to restore [none]:", paths=True)
        again = ask_yes_or_no(self._asker, "Train again what is trained already?")
        denoisers = read_denoiser_settings(settings_file)
        noises = parse_noises(answer or DEFAULT_NOISE)
        chosen = self._example(example) if example else None
        self._wait_for_keras()
        known = self._session.trained_denoisers
        if again or any(known.of(settings) is None for settings in denoisers):
            self._warn_if_not_kept(known.why_not_kept())
        for number, settings in enumerate(denoisers):
            needed = again or known.of(settings) is None
            if needed and not self._train(number, settings):
                break
        if any(known.of(settings) is not None for settings in denoisers):
            self._show(denoisers, noises, chosen)

    def _example(self, answer: str) -> str | Path:
        """The character, or else the picture, that an answer names, checked."""
        from own_pictures import is_of_several  # seldom needed

        data_set = self._session.data_set
        try:
            data_set.class_of(answer)
        except UserError as error:
            path = as_path(answer)
            if os.path.isdir(path) or not os.path.lexists(path):
                kind = "it is a folder" if os.path.isdir(path) else "there is no such file"
                raise UserError(
                    f"{quoted(answer)} is no picture, for {kind}, and no character of the data "
                    f"set, which has {one_line(' '.join(data_set.classes))}"
                ) from error
            self._session.check_example(path)
            if is_of_several(path):
                say(f"This picture has {FIRST_OF_SEVERAL}.")
            return path
        self._session.check_example(answer)
        return answer

    def _train(self, number: int, settings: DenoiserSettings) -> bool:
        """Train a denoiser with its progress shown; returns whether to go on with others.

        One that cannot be trained or kept is no reason to give up the others.
        """
        from views.denoising import make_denoise_view

        denoisers = self._session.trained_denoisers
        kinds = ", ".join(map(str, settings.noise))
        say(
            f"Training denoiser {number}, {settings.type}, on {kinds}: "
            f"{counted(settings.steps, 'step')} of {counted(settings.batch_size, 'image')}. "
            "Ctrl-C ends it and keeps what was learnt."
        )
        with stop_on_interrupt() as stop:
            try:
                with make_denoise_view(make_console()) as show:
                    trained = denoisers.train(settings, show=show, should_stop=stop)
            except UserError as error:
                say(sentence(str(error)))
                return not stop()
        known = denoisers.of(settings)
        kept = f"kept in {shown_path(denoisers.folder)}"
        if known is not None and known.steps > trained.steps:
            kept = f"the earlier one, of {counted(known.steps, 'step')}, stays"
        finished = trained.steps == settings.steps
        say(
            f"{'Trained' if finished else 'Ended after'} "
            f"{counted(trained.steps, 'step')} in "
            f"{remarks.duration(trained.seconds)}; {kept}"
        )
        return finished

    def _show(
        self,
        denoisers: Sequence[DenoiserSettings],
        noises: Sequence[Noise],
        example: str | Path | None,
    ) -> None:
        from views import denoising as denoise_view

        found = with_status(
            lambda show: self._session.judge_denoisers(denoisers, noises, show=show)
        )
        console = make_console()
        for table in denoise_view.findings_tables(found, console.width):
            console.print(table)
        best = self._session.collection.best()
        told_by = "its label, for there is no network to read it"
        if best is not None:
            number = self._session.collection.entries.index(best)
            told_by = f"entry {number}, which reads the noisy image first"
            say(f"Accuracy is that of entry {number}.")
        say(denoise_view.findings_notes(found, told_by))
        trained = [self._session.trained_denoisers.of(settings) for settings in denoisers]
        steps = [0 if denoiser is None else denoiser.steps for denoiser in trained]
        for remark in (
            *denoise_view.unlearnt_noise(denoisers, steps, noises),
            *denoise_view.unfinished(denoisers, steps),
        ):
            say(remark)
        restored = None
        if example is not None:
            restored = self._session.restore(denoisers, noises[0], example)
            say(denoise_view.restored_image(restored, console.width))
            if best is not None and self._session.has_restored_image:
                say("For more of what is read, use Predict with 'restored' as the generator.")
            if restored.label is None and best is None:
                for remark in denoise_view.untold(denoisers):
                    say(remark)
        say(f"Pictures: {shown_path(denoise_view.write_sheets(found, restored, Path()))}")
