"""Search: where the `search` and `image_search` tools look things up, and how that is recorded.

A local corpus (`corpus`), web search engines (`engines`), images (`images`); all give `Found`. A
run keeps every answer (`record`), and a model sees it in the words of `wording`.
"""
