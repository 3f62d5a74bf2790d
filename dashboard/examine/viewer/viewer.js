const CLOSEST = 8;
const STEP = 1.5;
const SHIFT = 0.1;

// Kept from one picture to the next: a reader who compares wants the same view of each.
const kept = { opacity: 60, side: false };

export default function ({ parentElement, data }) {
  const find = (selector) => parentElement.querySelector(selector);
  const panes = [...parentElement.querySelectorAll(".pane")];
  // What of the picture is in the middle, as shares of its sides, and how often it is enlarged.
  const view = (parentElement.view ??= { x: 0.5, y: 0.5, scale: 1 });
  const fingers = new Map();

  const zoom = (factor, x = 0.5, y = 0.5) => {
    const scale = Math.min(CLOSEST, Math.max(1, view.scale * factor));
    view.x += (x - 0.5) * (1 / view.scale - 1 / scale);
    view.y += (y - 0.5) * (1 / view.scale - 1 / scale);
    view.scale = scale;
    draw();
  };
  const shift = (x, y) => {
    view.x += x / view.scale;
    view.y += y / view.scale;
    draw();
  };
  const whole = () => zoom(1 / CLOSEST);

  function draw() {
    const edge = 0.5 / view.scale;
    view.x = Math.min(1 - edge, Math.max(edge, view.x));
    view.y = Math.min(1 - edge, Math.max(edge, view.y));
    const move = (middle) => `${(0.5 - middle * view.scale) * 100}%`;
    const coloured = Boolean(data.coloured);
    const two = coloured && kept.side;
    find(".panes").classList.toggle("two", two);
    panes[1].hidden = !two;
    panes.forEach((pane, index) => {
      const shows = coloured && (two ? index === 1 : index === 0);
      pane.classList.toggle("zoomed", view.scale > 1);
      pane.querySelector(".layer").style.transform = `translate(${move(view.x)}, ${move(view.y)}) scale(${view.scale})`;
      pane.querySelector(".coloured").hidden = !shows;
      pane.querySelector(".coloured").style.opacity = kept.opacity / 100;
    });
    find(".controls > output").textContent = `${view.scale.toFixed(1)} ×`;
    find(".opacity output").textContent = `${kept.opacity} %`;
    find(".side").hidden = find(".opacity").hidden = !coloured;
    find(".side input").checked = kept.side;
    find(".opacity input").value = kept.opacity;
    find(".further").disabled = find(".whole").disabled = view.scale === 1;
    find(".closer").disabled = view.scale === CLOSEST;
  }

  for (const pane of panes) {
    const [gray, coloured] = pane.querySelectorAll("img");
    gray.src = data.gray;
    gray.alt = data.alt;
    if (data.coloured) coloured.src = data.coloured;
    coloured.alt = data.coloured_alt;
    pane.setAttribute("aria-label", data.words.help);
    const place = (event) => {
      const box = pane.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    pane.onkeydown = (event) => {
      const act = {
        "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), "0": whole,
        ArrowLeft: () => shift(-SHIFT, 0), ArrowRight: () => shift(SHIFT, 0),
        ArrowUp: () => shift(0, -SHIFT), ArrowDown: () => shift(0, SHIFT),
      }[event.key];
      const moves = event.key.startsWith("Arrow");
      if (!act || event.ctrlKey || event.metaKey || event.altKey || (moves && view.scale === 1)) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    };
    pane.onwheel = (event) => {
      // The page scrolls on under a wheel, unless the reader went into the picture.
      if (!event.ctrlKey && parentElement.activeElement !== pane) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, ...place(event));
    };
    pane.ondblclick = (event) => (view.scale > 1 ? whole() : zoom(2 * STEP, ...place(event)));
    pane.onpointerdown = (event) => {
      fingers.set(event.pointerId, place(event));
      pane.setPointerCapture(event.pointerId);
    };
    pane.onpointermove = (event) => {
      if (!fingers.has(event.pointerId)) return;
      const [before, now] = [fingers.get(event.pointerId), place(event)];
      if (fingers.size === 1) shift(before[0] - now[0], before[1] - now[1]);
      else {
        const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
        const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
        zoom(apart(now) / Math.max(apart(before), 0.01), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      }
      fingers.set(event.pointerId, now);
    };
    pane.onpointerup = pane.onpointercancel = (event) => fingers.delete(event.pointerId);
  }

  find(".help").textContent = data.words.help;
  find(".opacity span").textContent = data.words.opacity;
  find(".side span").textContent = data.words.side;
  find(".whole").textContent = data.words.whole;
  for (const name of ["closer", "further"]) find(`.${name}`).setAttribute("aria-label", data.words[name]);
  find(".closer").onclick = () => zoom(STEP);
  find(".further").onclick = () => zoom(1 / STEP);
  find(".whole").onclick = whole;
  find(".opacity input").oninput = (event) => { kept.opacity = Number(event.target.value); draw(); };
  find(".side input").onchange = (event) => { kept.side = event.target.checked; draw(); };
  draw();
}
