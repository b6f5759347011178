// Browsers without modules never run the page itself; they run this.
document.getElementById("message-title").textContent = "This browser is too old for this page.";
document.getElementById("message-text").textContent = "Use a current version of Chrome, Edge, Firefox or Safari.";
document.getElementById("message-action").hidden = true;
document.getElementById("message").setAttribute("data-code", "unsupported-browser");
document.getElementById("message").hidden = false;
