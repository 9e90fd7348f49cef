"""What the loader in the folder named makes of Retry-After."""

import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import load  # noqa: E402

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT
for said, wanted in (("7", 7.0), ("0", 0.0), ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0), ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
                     ("", 0.0), ("soon", 0.0), ("-3", 0.0)):
    found = load.seconds_of(said, NOW)
    if found != wanted:
        sys.exit(f"{said!r}: {found} instead of {wanted}")
