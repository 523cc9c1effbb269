// The camera: finds codes in its picture with the browser's own reader where there is one, else with ours. Pictures are
// read on this device and go nowhere.
const EVERY = 140;
const SIDE = 720;
const FORMATS = { qr_code: "QRCode", aztec: "Aztec", pdf417: "PDF417", code_128: "Code128" };
const WANTED = { video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } }, audio: false };
const WHY = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing", OverconstrainedError: "missing" };

async function own() {
  if (!("BarcodeDetector" in window)) return null;
  const known = (await BarcodeDetector.getSupportedFormats()).filter((name) => name in FORMATS);
  // One that reads QR codes alone would leave the cards of other symbols unread.
  if (known.length < Object.keys(FORMATS).length) return null;
  const detector = new BarcodeDetector({ formats: known });
  return async (canvas) => (await detector.detect(canvas))[0]?.rawValue ?? null;
}

function script(address) {
  return new Promise((done, failed) => {
    const element = document.createElement("script");
    element.src = address;
    element.addEventListener("load", done);
    element.addEventListener("error", () => failed(new Error("the reader did not load")));
    document.head.append(element);
  });
}

async function ours(files) {
  await script(files.script);
  await ZXingWASM.prepareZXingModule({ overrides: { locateFile: () => files.wasm }, fireImmediately: true });
  const options = { formats: Object.values(FORMATS), tryHarder: true, maxNumberOfSymbols: 1 };
  return async (canvas, brush) => {
    const picture = brush.getImageData(0, 0, canvas.width, canvas.height);
    return (await ZXingWASM.readBarcodes(picture, options))[0]?.text || null;
  };
}

export class Camera {
  // `found(text)` for each reading; `changed(state)`: off, starting, on, or why not: insecure, denied, missing, broken.
  constructor(video, files, found, changed) {
    Object.assign(this, { video, files, found, changed });
    this.state = "off";
    this.watching = false;
    this.canvas = document.createElement("canvas");
    this.brush = this.canvas.getContext("2d", { willReadFrequently: true });
  }

  now(state) {
    this.state = state;
    this.changed(state);
  }

  async start() {
    if (this.state === "on" || this.state === "starting") return;
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) return this.now("insecure");
    this.now("starting");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia(WANTED);
      this.stream.getVideoTracks()[0].addEventListener("ended", () => this.stop());
      this.video.srcObject = this.stream;
      await this.video.play();
      this.read ??= (await own().catch(() => null)) ?? (await ours(this.files));
    } catch (fault) {
      this.release();
      return this.now(WHY[fault.name] ?? "broken");
    }
    this.now("on");
    this.watching = true;
    this.look();
  }

  release() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  stop() {
    if (this.state !== "on") return;
    this.release();
    this.now("off");
  }

  // The middle of the picture, where people hold the code, no larger than a reader needs.
  async look() {
    if (this.state !== "on") return;
    const { videoWidth: wide, videoHeight: high } = this.video;
    const side = Math.min(wide, high);
    if (this.watching && side && !document.hidden) {
      const size = Math.min(side, SIDE);
      if (this.canvas.width !== size) this.canvas.width = this.canvas.height = size;
      this.brush.drawImage(this.video, (wide - side) / 2, (high - side) / 2, side, side, 0, 0, size, size);
      try {
        const text = await this.read(this.canvas, this.brush);
        if (text && this.watching) this.found(text);
      } catch {
        // A reader of the browser's own may be there and not work: ours does.
        if (!this.fell) {
          this.fell = true;
          this.read = await ours(this.files).catch(() => this.read);
        }
      }
    }
    setTimeout(() => this.look(), EVERY);
  }
}
