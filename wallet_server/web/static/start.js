// Fills in the time zone that the browser knows, unless somebody has typed one.
const zone = document.querySelector("#zone[data-guess]");
const known = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && known) zone.value = known;
