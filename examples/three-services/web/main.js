const answer = await fetch("/api/items");
for (const item of await answer.json()) {
  document.querySelector("#items").append(
    Object.assign(document.createElement("li"), { textContent: item }),
  );
}
