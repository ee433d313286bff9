"""The items of the shop."""

from fastapi import FastAPI

app = FastAPI()
items = ["tea", "coffee"]


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/items")
def list_items() -> list[str]:
    return items
