"""A field for a line of text. Imported only when one is needed."""

from __future__ import annotations

from textual.widgets._input import Input

from agtmux.protocol.text import block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textual import events

_LINE_END, _TAB = "␤", "␉"


class Field(Input):
    """One line without a border. Pasted line ends and tabs show as signs; ``text`` has them back."""

    DEFAULT_CSS = """
    Field, Field:focus {
        border: none; height: 1; padding: 0; width: 1fr; background: $background; background-tint: initial;
    }
    """

    def __init__(self, *, placeholder: str = "", id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__(placeholder=placeholder, id=id, select_on_focus=False, max_length=100_000)
        self.cursor_blink = False  # nothing on this screen moves by itself

    @property
    def text(self) -> str:
        """What is to be sent."""
        return self.value.replace(_LINE_END, "\n").replace(_TAB, "\t")

    def _on_paste(self, event: events.Paste) -> None:
        pasted = event.text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
        shown = block(pasted.replace("\t", _TAB)).replace("\n", _LINE_END)
        if self.selection.is_empty:
            self.insert_text_at_cursor(shown)
        else:
            self.replace(shown, *self.selection)
        event.stop()
        event.prevent_default()
