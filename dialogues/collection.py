"""The dialogues about the collection: `Train`, `Save`, `Load`, `Results`, `Evaluate`, `Report`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from collection_evaluation import write_confusion_matrix
from counting import counted
from dialogues.at_hand import at_hand
from dialogues.common import Dialogue, say_how_it_was_read, stop_on_interrupt, with_status
from entries.origin import origin_of
from errors import UserError
from evaluation.class_labels import class_labels
from queries.selection import select
from settings.hyperparameters import read_training_plan
from storage.collection_folder import FILE_NAME
from terminal import as_path, ask_yes_or_no, make_console, quoted, say, shown_path
from views import remarks, results_text, tables
from views.training import ShownTraining, make_training_view

if TYPE_CHECKING:
    from trainer_predictor import TrainerPredictor

ONLY_IN_MEMORY = "Entries were not saved, and cannot be kept elsewhere."


class CollectionDialogue(Dialogue):
    """Asks how networks are trained, where they are kept, and what is to be shown of them."""

    def train(self) -> None:
        """`Train`: train the variants of a file.

        Raises:
            UserError: a file is wrong, or some variants could not be trained or kept.
        """
        hyperparameter_file = self._settings_files.ask_for("hyperparameter")
        parameter_file = self._settings_files.ask_for("training-parameter")
        retrain = ask_yes_or_no(self._asker, "Train again what is trained already?")
        plan = read_training_plan(hyperparameter_file, parameter_file)  # problems are named at once
        if plan.activation_without_use:
            say(remarks.activation_without_use(plan.activation_without_use))
        if repeated := plan.repeated():
            say(remarks.repeated(repeated))
        copies = self._session.copies_of_training_images()
        if any(copies.values()):
            say(remarks.copies(copies, self._session.data_set))
        self._session.check_cluster()
        if self._session.cluster is not None:
            say(f"Training on the Ray cluster at {self._session.cluster}.")
        self._wait_for_keras()
        from cnn_model import TrainingStopped

        console = make_console()
        shown = ShownTraining(
            origin_of(self._session.data_set),
            len(self._session.data_set.classes),
            [task.name for task in plan.tasks],
        )
        before = list(self._session.collection.entries)
        with stop_on_interrupt() as stop, make_training_view(console, shown) as view:
            try:
                self._session.train(
                    hyperparameter_file,
                    parameter_file,
                    retrain=retrain,
                    observer=view,
                    should_stop=stop,
                )
            except TrainingStopped as stopped:
                view.stopped()
                if stopped.__cause__ is not None:  # a defect that was met before
                    raise stopped.__cause__ from None
            except UserError:  # of some variants, which is told after what became of the others
                if self._session.collection.entries != before:
                    self._say_where_kept()
                raise
        self._say_where_kept()

    def _say_where_kept(self) -> None:
        entries = len(self._session.collection.entries)
        said = f"The collection has {counted(entries, 'entry', 'entries')}."
        kept = kept_in(self._session) if self._session.has_unsaved_entries else None
        if kept is not None:
            said += f" Until you Save it, it is kept in {shown_path(kept)}"
        say(said)

    def save(self) -> None:
        """`Save`: save the collection in a folder.

        Raises:
            UserError: there is nothing to save, or it cannot be saved there.
        """
        folder = as_path(self._asker.ask("Folder to save in:", paths=True))
        copy = with_status(lambda show: self._saved(folder, show))
        say(f"Saved {_entries(self._session)} in {folder}")
        if copy is not None:
            say(f"The other entries that were there are kept in {copy}")

    def _saved(self, folder: Path, show: Callable[[str], None]) -> Path | None:
        show("Saving, or waiting for another program that does ...")
        return self._session.save(folder)

    def load(self) -> None:
        """`Load`: load a collection in place of the one in memory.

        Raises:
            UserError: the folder is wrong; the collection in memory is unchanged.
        """
        folder = as_path(self._asker.ask("Folder to load:", paths=True))
        if not may_be_lost(self._session) or ask_yes_or_no(
            self._asker, f"{ONLY_IN_MEMORY} Load another collection in their place?"
        ):
            self.load_folder(folder)

    def load_folder(self, folder: Path) -> None:
        """Load a collection without asking, and say what it is.

        Args:
            folder: of a collection, or the file of that name in it.

        Raises:
            UserError: the folder is wrong; the collection in memory is unchanged.
        """
        if folder.name == FILE_NAME and os.path.isfile(folder):
            folder = folder.parent
        kept = kept_in(self._session) if self._session.has_unsaved_entries else None
        self._session.load(folder)
        say(f"Loaded {_entries(self._session)} from {folder}")
        if kept is not None and kept != self._session.autosave.folder:
            say(f"The entries that were in memory and not saved are kept in {shown_path(kept)}")

    def results(self, query: str = "") -> None:
        """`Results`: compare entries.

        Args:
            query: which are listed, and in which order; see `queries.selection.select`.

        Raises:
            UserError: there is no entry, the query is wrong, or curves cannot be written.
        """
        with_layers = ask_yes_or_no(self._asker, "Show layers?")
        collection = self._session.collection
        if not collection.entries:
            raise UserError("there is no trained network yet: use Train, or Load a folder, first")
        selection = select(collection, query)
        listed = selection.numbers
        if not listed:
            entries = counted(len(collection.entries), "entry", "entries")
            say(f"None of {entries} fits {quoted(query)}.")
            return
        if with_layers:
            say(results_text.entries_with_layers(collection, listed))
            say("")
        else:
            make_console().print(results_text.results_table(collection, listed))
        if query or len(listed) < len(collection.entries):
            say(results_text.results_scope(selection, len(collection.entries)))
        if not query and len(listed) < len(collection.entries):
            say(results_text.OTHERS)
        say(results_text.results_notes(collection, listed, self._session.data_set.fingerprint))
        if selection.query.curves:
            from learning_curves import write_learning_curves  # with Matplotlib

            path, drawn = write_learning_curves(collection, listed, Path())
            say(f"Learning curves of {drawn} of them: {shown_path(path)}")

    def evaluate(self) -> None:
        """`Evaluate`: score every entry on labelled images.

        Raises:
            UserError: there is no entry, the data set cannot be used, or nothing can be written.
        """
        answer = self._asker.ask("Path of a labelled data set [the test split]:", paths=True)
        path = at_hand(as_path(answer)) if answer else None
        self._wait_for_keras()
        result = with_status(
            lambda show: self._session.evaluate(
                path,
                show=lambda done, entries: show(f"Evaluating entry {done + 1} of {entries} ..."),
            )
        )
        say(f"On {result.name}:")
        say_how_it_was_read(result.notes, path or self._session.data_set.source, result.left_out)
        make_console().print(tables.evaluation_table(result))
        say(tables.confused_pairs(result))
        say(f"Confusion matrix: {shown_path(write_confusion_matrix(result, Path()))}")
        numbered = class_labels(result.classes).numbered
        if numbered:
            names = [result.classes[index] for index in numbered]
            say(remarks.written_as_numbers(names, result.classes))

    def report(self) -> None:
        """`Report`: write a page with pictures on the data set and the collection.

        Raises:
            UserError: the folder cannot be written.
        """
        answer = self._asker.ask("Folder for the report [report]:", paths=True)
        folder = as_path(answer) if answer else Path("report")
        if self._session.collection.entries:
            self._wait_for_keras()
        page = with_status(lambda show: self._session.report(folder, show=show))
        say(f"Report: {shown_path(page)}")


def kept_in(session: TrainerPredictor) -> Path | None:
    """Where all of a session's entries are that are not saved.

    Args:
        session: with or without such entries.

    Returns:
        The folder; None where they are not kept.
    """
    autosave = session.autosave
    if autosave.folder is None or not autosave.holds_all:
        return None
    return autosave.folder if os.path.isfile(autosave.folder / FILE_NAME) else None


def may_be_lost(session: TrainerPredictor) -> bool:
    """Whether a session has unsaved entries in memory alone.

    Args:
        session: with or without such entries.

    Returns:
        Whether it has.
    """
    return session.has_unsaved_entries and kept_in(session) is None


def _entries(session: TrainerPredictor) -> str:
    collection = session.collection
    count = len(collection.entries)
    best = collection.best()
    if best is None:
        return "a collection without entries"
    accuracy = f"(validation accuracy {best.validation.accuracy:.2%})"
    if count == 1:
        return f"1 entry {accuracy}"
    return f"{count:,} entries, the best of them number {collection.entries.index(best)} {accuracy}"
