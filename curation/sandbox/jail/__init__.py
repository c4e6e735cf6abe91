"""The code that runs inside the sandbox, next to the code that a model wrote.

This folder is bound read-only into the sandbox, where nothing else of the library exists: it
imports only itself, the standard library and the imaging libraries. The host shares `wire`,
`settings` and `pixels` with it and believes nothing that comes back.
"""
