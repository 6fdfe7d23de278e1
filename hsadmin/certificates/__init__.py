"""The certificate of the TLS port: from files, or made here.

pair        a chain and its key, parsed and checked; the TLS context for it
files       the operator's pair, read again when it changes
selfsigned  a small certificate authority of our own and the certificate it signs
service     holds the pair in force, watches its source, swaps it without touching open connections (ICertificates)
"""
