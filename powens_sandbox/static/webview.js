// Finishing a new connection needs at least one account; without this script the server says so.
for (const form of document.querySelectorAll("form[data-needs-one]")) {
  const finish = form.querySelector('[data-testid="finish"]');
  const boxes = [...form.querySelectorAll('input[name="account"]')];
  const update = () => { finish.disabled = !boxes.some((box) => box.checked); };
  form.addEventListener("change", update);
  // Coming back with the browser's button restores the boxes after this script ran.
  addEventListener("pageshow", update);
  update();
}
