"""Makes `twistd hsadmin` known; names the module as text, so that listing plugins imports nothing of ours."""

from twisted.application.service import ServiceMaker

hsadmin = ServiceMaker("hsadmin", "hsadmin.tap", "A Tailscale control server in one program.", "hsadmin")
