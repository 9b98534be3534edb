"""python -m psnet.cli"""

from psnet.cli.main import main

main()
