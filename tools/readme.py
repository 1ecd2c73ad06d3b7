"""Writes the table of settings into README.md, between its two markers."""

import sys
from pathlib import Path

from agentauri import config_text

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- settings: made by make readme -->\n", "<!-- end of settings -->\n"


def main() -> int:
    """Replace what stands between the markers."""
    text = README.read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    README.write_text(f"{head}{BEGIN}{config_text.table()}{END}{tail}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
