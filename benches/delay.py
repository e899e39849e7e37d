"""A link that takes its time: delay.py LISTEN CONNECT MILLISECONDS passes bytes between unix sockets,
each direction that much later, in order and as fast as they come."""

import asyncio
import sys

listen, upstream, delay = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000


async def passes(reader, writer):
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue()

    async def write():
        while True:
            due, chunk = await queue.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if not chunk:
                break
            writer.write(chunk)
            await writer.drain()
        writer.close()

    task = asyncio.create_task(write())
    while chunk := await reader.read(1 << 16):
        queue.put_nowait((loop.time() + delay, chunk))
    queue.put_nowait((loop.time() + delay, b""))
    await task


async def accept(reader, writer):
    there_reader, there_writer = await asyncio.open_unix_connection(upstream)
    await asyncio.gather(
        passes(reader, there_writer), passes(there_reader, writer), return_exceptions=True
    )


async def main():
    async with await asyncio.start_unix_server(accept, listen) as server:
        await server.serve_forever()


asyncio.run(main())
