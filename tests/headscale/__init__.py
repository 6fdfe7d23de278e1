import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # fakes import grpc before Link can say so
