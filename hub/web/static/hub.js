// Comfort only: every page works without it. The reader's time zone is told in a cookie, filters of one choice apply at once, / goes to the search.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`hub_tz=${encodeURIComponent(zone)}`)) {
  document.cookie = `hub_tz=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
}

for (const select of document.querySelectorAll("form.filters select")) {
  let pointed = false; // with the keyboard a value is passed through on the way to the wanted one: only a pointed choice is sent at once
  select.addEventListener("pointerdown", () => { pointed = true; });
  select.addEventListener("keydown", () => { pointed = false; });
  select.addEventListener("change", () => { if (pointed) select.form.requestSubmit(); });
}

for (const form of document.querySelectorAll("form.filters")) {
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
  const search = document.querySelector("input[type=search]");
  if (search) { event.preventDefault(); search.focus(); }
});

const today = document.querySelector(".timeline svg.tl .today");
const box = today?.closest(".timeline");
if (box) box.scrollLeft = Math.max(0, today.getBBox().x - box.clientWidth / 3);
