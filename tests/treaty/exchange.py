"""The driver's dialogue against the simulated unit, without a cable: every byte goes through both codecs."""

import asyncio

from drivers import flow as flows
from drivers.scsi import flow
from drivers.scsi.flow import Dialogue, Result
from drivers.scsi.job import Job
from drivers.scsi.wire import Command, Reply, ScsiStatus, Sense, request_sense
from drivers.usb import wire as usb_wire
from simulator.scsi.wire import parse_envelope, status_frame
from tests.treaty.target import Bench

_PATIENCE_S = 30.0  # one command; a hang shall fail and not block


async def converse(bench: Bench, dialogue: Dialogue[Result]) -> Result:
    """Run a dialogue of the driver in a thread, as life does; its pauses take no time."""
    loop = asyncio.get_running_loop()

    def transact(command: Command) -> tuple[ScsiStatus, bytes]:
        asked = parse_envelope(usb_wire.envelope(command.cdb))
        assert asked.in_length == command.data_in_length
        done = asyncio.run_coroutine_threadsafe(bench.target.execute(asked, command.data_out), loop)
        reply = done.result(_PATIENCE_S)
        return usb_wire.decode_status(status_frame(reply.status)), reply.data

    def exchange(command: Command) -> Reply:
        status, data = transact(command)
        if status is not ScsiStatus.CHECK:
            return Reply(status, data)
        _, sense = transact(request_sense())
        return Reply(status, data, Sense.decode(sense))

    return await asyncio.to_thread(flows.run, dialogue, exchange, sleep=lambda _seconds: None)


async def read_side(bench: Bench, job: Job, side: int) -> bytes:
    """Read one side to its end; of raw rows the bytes as they came."""
    window = job.sides[side]
    opened = await converse(bench, flow.open_side(job, window))
    image = b""
    while True:
        block = await converse(bench, flow.read_block(opened, window))
        image += block.data
        if block.end or (opened.byte_count and len(image) >= opened.byte_count):
            return image


async def read_batch(bench: Bench, job: Job) -> list[bytes]:
    """Scan until the feeder is empty and return the sides in the order in which they came."""
    await converse(bench, flow.ready())
    await converse(bench, flow.begin_batch(job))
    sides = []
    while await converse(bench, flow.feed(job)):
        await converse(bench, flow.start_sheet(job))
        sides += [await read_side(bench, job, side) for side in range(len(job.sides))]
    await converse(bench, flow.finish_batch(job.model))
    return sides
