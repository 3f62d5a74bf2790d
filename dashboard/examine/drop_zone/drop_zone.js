// Sends each file straight to the dashboard's server, and says what came of it before the page is drawn anew.
export default function ({ parentElement, data, setTriggerValue }) {
  const find = (selector) => parentElement.querySelector(selector);
  const { words } = data;
  if (parentElement.state?.reader !== data.reader) {
    // At first, and when the reader had all forgotten: what still waits is not sent.
    parentElement.state?.waiting.splice(0);
    parentElement.state = { reader: data.reader, workers: 0, batch: [], waiting: [] };
    find(".answers").replaceChildren();
    find(".left").hidden = true;
  }
  const state = parentElement.state;

  function take(files) {
    if (!files.length) return;
    if (!state.workers) {
      state.batch = [];
      find(".answers").replaceChildren();
    }
    const taken = files.slice(0, data.most);
    find(".left").hidden = taken.length === files.length;
    find(".left").textContent = words.too_many.replace("{count}", files.length);
    for (const file of taken) {
      const row = document.createElement("li");
      const name = document.createElement("bdi");
      name.textContent = file.name;
      const said = document.createElement("span");
      row.append(name, said);
      row.hidden = true;
      find(".answers").append(row);
      const one = { file, row, name, said };
      state.batch.push(one);
      state.waiting.push(one);
    }
    while (state.workers < data.in_flight && state.waiting.length) {
      state.workers += 1;
      work();
    }
    progress();
  }

  async function work() {
    for (let one; (one = state.waiting.shift()); progress()) {
      one.answer = await ask(one.file);
      one.name.textContent = one.answer.file ?? one.name.textContent;
      say(one, one.answer.words);
      if (one.answer.gone) leave();
    }
    state.workers -= 1;
    progress();
    const keys = state.batch.map((one) => one.answer?.key).filter(Boolean);
    if (!state.workers && keys.length) setTriggerValue("answered", keys);
  }

  async function ask(file) {
    if (file.size > data.most_bytes) return { words: words.too_large };
    try {
      const headers = { "Hilum-Reader": data.reader, "Hilum-File": encodeURIComponent(file.name.toWellFormed?.() ?? file.name) };
      const response = await fetch(data.address, { method: "POST", headers, body: file });
      return await response.json();
    } catch {
      return { words: words.not_sent };
    }
  }

  function say(one, sentence) {
    one.said.textContent = sentence;
    one.row.hidden = false;
  }

  function leave() {
    for (const one of state.waiting.splice(0)) {
      one.answer = {};
      say(one, words.not_sent);
    }
  }

  function progress() {
    const done = state.batch.filter((one) => one.answer).length;
    find(".sending").hidden = !state.workers;
    find("progress").max = state.batch.length;
    find("progress").value = done;
    find("output").textContent = words.progress.replace("{done}", done).replace("{count}", state.batch.length);
  }

  const [zone, input, stop] = [find(".zone"), find(".files"), find("button")];
  zone.hidden = false; // its words are there now
  find("label").textContent = words.choose;
  find(".hint").textContent = words.hint;
  find(".limits").textContent = words.limits;
  find(".answers").setAttribute("aria-label", words.answers);
  find("progress").setAttribute("aria-label", words.sending);
  stop.textContent = words.stop;
  stop.onclick = leave;
  input.onchange = () => {
    take([...input.files]);
    input.value = "";
  };
  const over = (event, is_over) => {
    event.preventDefault();
    zone.classList.toggle("over", is_over);
  };
  zone.ondragover = (event) => over(event, true);
  zone.ondragleave = (event) => over(event, false);
  zone.ondrop = (event) => {
    over(event, false);
    take([...event.dataTransfer.files]);
  };
}
