"""The experiment configuration: from submitted text and its eight other sources to the one resolved document.

`parse` reads text, `schema` says what may stand where, `merge` joins layers, `resolve` knows the order of the sources, `checks`
finds every mistake. Notebooks, shells, commands, TensorBoards and generic tasks have their own, smaller document in `ntsc`.
"""
