"""How the command line talks to an agent: to a tree in this process, or to a server over HTTP."""
