// Takes the demonstration key out of the address (`#key=…`, which no server sees) and hands it to the till's link.
const KEPT = "demonstration-key";

const given = new URLSearchParams(location.hash.slice(1)).get("key");
if (given) {
  sessionStorage.setItem(KEPT, given);
  history.replaceState(null, "", location.pathname + location.search);
}
const key = sessionStorage.getItem(KEPT);
if (key) {
  const link = document.getElementById("till-link");
  link.href = `${link.getAttribute("href")}#${new URLSearchParams({ key })}`;
  document.getElementById("till-key").hidden = false;
}
