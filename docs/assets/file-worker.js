/*
 * A stand-in for `Worker`, for pages that are opened from the file system.
 *
 * The theme searches in a worker. Browsers refuse to start a worker from an address that begins
 * with `file:`, so that the search field would stay dead. Here the worker's script runs in a
 * hidden, empty frame instead: it has the origin of the page and a global object of its own, whose
 * `postMessage` answers the page. The theme's own plugin for this loads a script from another
 * host, which a site for hospitals without internet cannot do.
 *
 * Limits: the script runs on the page's own thread, and `importScripts` is missing. The worker of
 * the theme needs it for the languages other than English only.
 */
"use strict"

if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.title = "Search"
      document.body.append(frame)
      this.inside = frame.contentWindow
      this.inside.postMessage = (data) => {
        this.dispatchEvent(new MessageEvent("message", { data }))
      }
      const script = frame.contentDocument.createElement("script")
      // Messages that arrive before the script listens wait for this.
      this.started = new Promise((resolve, reject) => {
        script.onload = resolve
        script.onerror = () => reject(new Error(`The script ${address} does not load.`))
      })
      script.src = address
      frame.contentDocument.body.append(script)
    }

    postMessage(data) {
      this.started.then(() => {
        this.inside.dispatchEvent(new MessageEvent("message", { data }))
      })
    }
  }
}
