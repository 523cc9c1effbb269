// A form that the browser kept from before (someone else may have joined with it on a shared phone) is fetched anew.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
