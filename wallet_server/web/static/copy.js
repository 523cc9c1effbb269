// Copies the address that stands in the field; where a browser does not let it, the field is selected for the hand.
const button = document.getElementById("copy");
const field = document.getElementById("address");

button.hidden = false;
button.addEventListener("click", async () => {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    const copied = document.getElementById("copied");
    copied.textContent = button.dataset.done;
    copied.className = "good";
  } catch {
    field.focus();
  }
});
