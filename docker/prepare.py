"""What an image holds ready: the kernels, built, and the trained weights, fetched.

python docker/prepare.py kernels|weights
"""

import sys

from odla_ipu import pretrained
from odla_ipu.sim import poplar


def main() -> None:
    if sys.argv[1:] == ["kernels"]:
        for folder in poplar.kernel_folders():
            poplar.build_kernel(folder)
    elif sys.argv[1:] == ["weights"]:
        for name in pretrained.names():
            pretrained.path(name)
    else:
        sys.exit(str(__doc__))


if __name__ == "__main__":
    main()
