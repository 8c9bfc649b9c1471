// Adds new messages to the outbox as they arrive, and copies codes.

const list = document.getElementById("messages");
const state = document.getElementById("state");

function showButtons() {
  for (const button of list.querySelectorAll(".copy")) button.hidden = false;
}

list.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.previousElementSibling.textContent);
  button.textContent = "Copied";
});

// What is shown already stays the same element, so that a selection survives.
async function load() {
  const answer = await fetch("/outbox");
  if (!answer.ok) throw new Error(answer.statusText);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("messages");
  const items = [...fresh.children].map((item) => document.getElementById(item.id) ?? item);
  if (items.length !== list.children.length || items.some((item, i) => item !== list.children[i])) {
    for (const gone of [...list.children].filter((item) => !items.includes(item))) gone.remove();
    items.forEach((item, i) => {
      if (list.children[i] !== item) list.insertBefore(item, list.children[i] ?? null);
    });
    showButtons();
  }
  state.textContent = "";
}

async function refresh() {
  try {
    await load();
  } catch {
    state.textContent = "The server does not answer. The page tries again.";
  }
  setTimeout(refresh, 1000);
}

showButtons();
refresh();
