"""A guest book of one page."""

from flask import Flask, Response, jsonify, redirect, request
from markupsafe import escape

app = Flask(__name__)
guests: list[str] = []


@app.get("/health")
def health() -> Response:
    return jsonify(status="ok")


@app.get("/")
def page() -> str:
    names = "".join(f"<li>{escape(name)}</li>" for name in guests)
    form = '<form method="post"><input name="name"><button>Sign</button></form>'
    return f"<h1>Guests</h1><ul>{names}</ul>{form}\n"


@app.post("/")
def sign() -> Response:
    name = request.values.get("name", "somebody")
    guests.append(name)
    print(f"{name} was here")
    return redirect("/")
