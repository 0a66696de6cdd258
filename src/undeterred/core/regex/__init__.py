"""Regular expressions that users give for the logs of tasks: the RE2 language, matched in time linear in the line.

Python's own `re` backtracks: a careless pattern and one long line would hold the server for minutes. These patterns have no
back-references and no look-around, so that an automaton can run them, one step per character.
"""

from undeterred.core.regex.matcher import Pattern as Pattern
from undeterred.core.regex.matcher import compile_pattern as compile_pattern
