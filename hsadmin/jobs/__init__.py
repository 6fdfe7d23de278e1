"""Work that outlives a click, or has none.

trial  what a trial does once headscale is ready: a user, a fresh key, a command to join with
"""
