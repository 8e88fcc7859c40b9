const { termination, target } = document.body.dataset;
if (parent !== window) {
  parent.postMessage({ type: "powensWebviewTermination", data: JSON.parse(termination) }, target);
}
