"""The address at which pods look for the API server, where no kube-proxy gives it to them.

`python service_address.py PORT` puts 10.96.0.1 on this machine's loopback, hands what connects to its port 443 to
127.0.0.1:PORT, and takes the address away when its standard input ends, as it does with whoever started it. Pods on
nodes that share this machine's network reach it through their gateway; so do the kubelets of such nodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

ADDRESS, PORT = "10.96.0.1", 443  # the Service `kubernetes`, the first of the cluster's range


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def serve(port: int) -> None:
    """Forward until standard input ends."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    async with await asyncio.start_server(forward, ADDRESS, PORT):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def main(port: int) -> None:
    """Lend the machine the address for as long as it is served."""
    subprocess.run(["ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo"], check=True)
    try:
        asyncio.run(serve(port))
    finally:
        subprocess.run(["ip", "address", "del", f"{ADDRESS}/32", "dev", "lo"], check=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
