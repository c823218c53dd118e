"""Run single chains again: `python -m tests.walk.crash --seed N [--power] [--chains N] [--defect NAME]`."""

import argparse
import asyncio
import tempfile
from functools import partial
from pathlib import Path

from tests.walk.crash import campaign, shim
from tests.walk.crash.defects import DEFECTS
from tests.walk.crash.nursery import zygote
from tests.walk.crash.run import ChainFailed, Run
from tests.walk.crash.tally import Tally


async def main(options: argparse.Namespace) -> int:
    """Run them and print the tally, or what is wrong."""
    tally = Tally("replay")
    with tempfile.TemporaryDirectory() as made:
        environment = {"LD_PRELOAD": str(shim.build(Path(made)))} if options.power else {}
        async with campaign.ground() as template:
            try:
                await campaign.run(
                    lambda nursery: Run(nursery, template, tally, power=options.power, defect=options.defect),
                    partial(zygote, environment),
                    lambda so_far: so_far.chains >= options.chains,
                    first=options.seed,
                    lanes=min(options.chains, campaign.LANES),
                )
            except ChainFailed as error:
                print(error)
                return 1
            finally:
                print("\n".join(tally.lines()))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.walk.crash")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--power", action="store_true", help="with power cuts")
    parser.add_argument("--chains", type=int, default=1, help="so many from this seed on")
    parser.add_argument("--defect", choices=sorted(DEFECTS), default="", help="a defect to be found")
    raise SystemExit(asyncio.run(main(parser.parse_args())))
