"""The whole program as a process, with a stand-in for headscale: how it starts, what it says when it cannot, how it recovers."""
