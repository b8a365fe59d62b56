// Before the first paint: the colours that were chosen, or what the system prefers.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("theme");
    document.documentElement.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
    dispatchEvent(new Event("themechange"));
  };
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  window.switchTheme = () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    // What the system wants anyway need not be remembered: the page follows it again.
    if ((next === "dark") === system.matches) localStorage.removeItem("theme"); else localStorage.setItem("theme", next);
    apply();
  };
  apply();
})();
