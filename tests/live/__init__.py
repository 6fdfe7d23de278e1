"""The product on real parts: headscale 0.29.3, tailscaled 1.98.9, TLS, kill -9. `contrib/test` builds them and runs this in a network of its own.

The environment names the parts: HSADMIN_HEADSCALE, HSADMIN_TAILSCALE and HSADMIN_TAILSCALED are paths of binaries; without one, its tests fail.
"""
