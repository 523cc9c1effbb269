// Puts a member's progress where this script stands in a merchant's page, as high as it is; nothing where the token is
// not good. <script async src="…/static/embed.js" data-token="…" data-theme="light or dark" data-lang="fr or en">
(() => {
  const script = document.currentScript;
  const { token, theme, lang } = script.dataset;
  if (!token) return;
  const address = new URL(`../widget/${encodeURIComponent(token)}`, script.src);
  if (theme) address.searchParams.set("theme", theme);
  if (lang) address.searchParams.set("lang", lang);
  const frame = document.createElement("iframe");
  frame.src = address.href;
  frame.title = document.title;
  frame.scrolling = "no"; // it is as high as what is in it
  frame.style.cssText = `display:block;width:100%;height:0;border:0;visibility:hidden;color-scheme:${theme || "light dark"}`;
  addEventListener("message", (told) => {
    if (told.source !== frame.contentWindow || told.origin !== address.origin || told.data?.widget !== "size") return;
    frame.style.height = `${Number(told.data.height)}px`;
    frame.style.visibility = "visible"; // a frame that was refused says nothing, nor is it read out
    frame.title = String(told.data.title);
  });
  script.after(frame);
})();
