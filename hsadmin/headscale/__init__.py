"""Talking to the running headscale.

link      which headscale: one connection per child start, deadlines, second tries, calls that end when the child does
rpc       what it is asked, in our words (IHeadscale), up to 0.29
inputs    what is looked at before it is asked                         pure
methods   the 29 calls in a table                                      pure
convert   its messages as model values                                 pure
refusals  its errors as Problems                                       pure
drift     does the one that runs mean what we mean?                    pure
channel   grpc, and nobody else imports it
bridge    grpc's futures as Deferreds
pb/       made from proto/headscale.proto by contrib/build/protos.py, not tracked
"""
