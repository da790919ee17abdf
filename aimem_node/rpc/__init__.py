"""The listening half. gRPC's own lines on standard error are switched off before it is imported.

They name addresses of its source and no peer; what they are about is logged here, with the peer's
name and the reason. Whoever wants them sets GRPC_VERBOSITY.
"""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
