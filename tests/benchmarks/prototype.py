"""What a person would write first: FastAPI, pydantic, and a delivery with acks=all for each request, without tokens.

`/bare` is its route without Kafka: the least that a request of this framework costs.
"""

import asyncio
import os
import threading
from typing import Any

import uvicorn
from confluent_kafka import KafkaError, Message
from fastapi import FastAPI, HTTPException
from pydantic import AwareDatetime, BaseModel

from shared import kafka
from shared.settings import TopicSettings, load


class Event(BaseModel):
    device_id: str
    timestamp: AwareDatetime
    data_payload: dict[str, float]


def create_app() -> FastAPI:
    """The application; its thread fetches what Kafka says of each delivery."""
    app, settings = FastAPI(), load(TopicSettings)
    producer = kafka.producer(settings, linger_ms=2)

    def fetch() -> None:
        while True:
            producer.poll(0.1)

    threading.Thread(target=fetch, daemon=True).start()

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/bare", status_code=202)
    async def bare(event: Event) -> dict[str, Any]:
        return {"accepted": 1, "rejected": [], "receipt": event.device_id}

    @app.post("/ingest", status_code=202)
    async def ingest(event: Event) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def delivered(error: KafkaError | None, message: Message) -> None:
            where = f"{error or ''}", f"{message.partition()}:{message.offset()}"
            loop.call_soon_threadsafe(lambda: done.set_result(where[1]) if error is None else done.cancel())

        body = event.model_dump_json().encode()
        producer.produce(settings.topic_readings, body, event.device_id.encode(), on_delivery=delivered)
        try:
            return {"accepted": 1, "rejected": [], "receipt": await done}
        except asyncio.CancelledError:
            raise HTTPException(503, "Kafka didn't confirm") from None

    return app


if __name__ == "__main__":
    host, port = os.environ["API_HOST"], int(os.environ["API_PORT"])
    uvicorn.run(create_app(), host=host, port=port, access_log=False, log_level="warning")
