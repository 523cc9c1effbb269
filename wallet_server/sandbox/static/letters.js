// The letterboxes of the sandbox page: e-mails and short messages as they came, the newest first.
const byId = (id) => document.getElementById(id);

export function letters({ ask, during, words }) {
  let seen = -1;

  function draw(letter) {
    const item = document.createElement("li");
    const head = document.createElement("p");
    head.className = "hint";
    const time = new Date(letter.at).toLocaleTimeString(document.documentElement.lang);
    head.textContent = `${time} · ${words.letter_kinds[letter.kind]} · ${letter.to}`;
    const text = document.createElement("p");
    text.className = "letter-text";
    text.textContent = letter.subject ? `${letter.subject}\n\n${letter.text}` : letter.text;
    item.append(head, text);
    return item;
  }

  async function list() {
    const found = await ask("GET", "/letters");
    byId("letter-list").replaceChildren(...found.letters.map(draw));
    byId("no-letters").hidden = found.letters.length > 0;
  }

  for (const box of document.querySelectorAll("[data-letters]")) {
    box.addEventListener("change", () => during(box, () => ask("POST", "/letters", { kind: box.dataset.letters, mode: box.value })));
  }

  return {
    follow(state) {
      for (const box of document.querySelectorAll("[data-letters]")) {
        if (document.activeElement !== box) box.value = state.modes[box.dataset.letters];
      }
      if (state.came !== seen) {
        seen = state.came;
        list();
      }
    },
  };
}
