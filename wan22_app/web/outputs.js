// What the outputs page does without asking the server: preview on hover, walk by keys, step by
// frames, load while scrolling, copy, and cut the headers out of a dropped video.
// Listens on the document, once: pages come and go without a reload.
(function () {
  if (window.wan22Outputs) { return; }

  var still = window.matchMedia('(prefers-reduced-motion: reduce)');
  var MOST_HEADER_BYTES = 30000000;
  var page = function () { return document.getElementById('outputs'); };
  var player = function () { return document.querySelector('#detail video'); };
  var tiles = function () { return Array.from(document.querySelectorAll('#gallery .wan-tile')); };

  // Preview: one at a time, muted, never while the open video plays.

  var preview = null, under = null, timer = 0;

  function stopPreview() {
    clearTimeout(timer);
    under = null;
    if (preview) {
      preview.removeAttribute('src');
      preview.load();
      preview.remove();
      preview = null;
    }
  }

  function startPreview(tile) {
    if (tile === under) { return; }
    stopPreview();
    under = tile;
    var open = player();
    if (!tile || !tile.dataset.video || still.matches || (open && !open.paused)) { return; }
    timer = setTimeout(function () {
      preview = document.createElement('video');
      preview.muted = preview.loop = preview.playsInline = true;
      preview.setAttribute('aria-hidden', 'true');
      preview.src = tile.dataset.video;
      tile.querySelector('.wan-hover').appendChild(preview);
      preview.play().catch(function () {});
    }, 140);
  }

  function tileOf(event) {
    return event.target instanceof Element ? event.target.closest('#gallery .wan-tile') : null;
  }

  document.addEventListener('pointerover', function (event) {
    if (page() && event.pointerType !== 'touch') { startPreview(tileOf(event)); }
  });
  document.addEventListener('focusin', function (event) {
    if (page()) { startPreview(tileOf(event)); }
  });

  // Frames.

  function frameOf(video) {
    var last = Number(video.dataset.frames) - 1;
    return Math.min(last, Math.floor(video.currentTime * Number(video.dataset.fps) + 0.001));
  }

  function step(direction) {
    var video = player();
    if (!video) { return; }
    video.pause();
    var last = Number(video.dataset.frames) - 1;
    var next = Math.max(0, Math.min(last, frameOf(video) + direction));
    // Into the middle of a frame: at its edge a rounded clock may show its neighbour.
    video.currentTime = (next + 0.5) / Number(video.dataset.fps);
  }

  function sayFrame(event) {
    var video = player(), where = document.getElementById('frame-number');
    if (!video || !where || (event && event.target !== video)) { return; }
    where.textContent = where.dataset.text
      .replace('{n}', frameOf(video) + 1).replace('{of}', video.dataset.frames);
  }

  ['timeupdate', 'seeked', 'loadedmetadata'].forEach(function (name) {
    document.addEventListener(name, sayFrame, true);
  });

  // Keys.

  function columns(all) {
    var top = all[0].offsetTop;
    var first = all.findIndex(function (tile) { return tile.offsetTop !== top; });
    return first < 0 ? all.length : first;
  }

  function walk(event) {
    var all = tiles(), focused = document.activeElement.closest('#gallery .wan-tile');
    var open = document.querySelector('#gallery .wan-tile[data-open="true"]');
    var upright = event.key === 'ArrowUp' || event.key === 'ArrowDown';
    if (!all.length || (upright && !focused)) { return; }
    var from = all.indexOf(focused || open);
    if (from < 0 && document.activeElement !== document.body) { return; }
    var by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(all), ArrowDown: columns(all) };
    var target = all[from < 0 ? 0 : from + by[event.key]];
    if (!target) { return; }
    event.preventDefault();
    var button = target.querySelector('.wan-open');
    button.focus();
    if (document.getElementById('detail')) { button.click(); }
  }

  var BUSY = 'input, textarea, select, [contenteditable], [role=dialog], [role=alertdialog], ' +
    '[role=listbox], [role=combobox], [role=menu]';

  document.addEventListener('keydown', function (event) {
    if (!page() || event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.target instanceof Element && event.target.closest(BUSY)) { return; }
    if (event.key === 'Escape') {
      var close = document.getElementById('close-detail') || document.getElementById('close-brought');
      if (close) { close.click(); }
    } else if (event.key === ',' || event.key === '.') {
      step(event.key === '.' ? 1 : -1);
    } else if (event.key.startsWith('Arrow') && !(event.target instanceof HTMLVideoElement)) {
      walk(event);
    }
  });

  // Clicks that need no server.

  function copy(text) {
    if (navigator.clipboard && window.isSecureContext) {
      return navigator.clipboard.writeText(text);
    }
    // Over plain http in a local network there is no clipboard: the old way still works.
    var area = document.createElement('textarea');
    area.value = text;
    area.style.position = 'fixed';
    area.style.opacity = '0';
    document.body.appendChild(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    return Promise.resolve();
  }

  document.addEventListener('click', function (event) {
    if (!page() || !(event.target instanceof Element)) { return; }
    var button = event.target.closest('[data-copy], [data-step], .wan-open');
    if (!button) { return; }
    if (button.dataset.copy) { copy(button.dataset.copy).catch(function () {}); }
    if (button.dataset.step) { step(Number(button.dataset.step)); }
    if (button.classList.contains('wan-open')) { stopPreview(); }
  });

  // What appears: load more when the end comes near, play and show what was opened.

  var watched = new Set(), shown = '';
  var near = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      if (entry.isIntersecting && !entry.target.disabled) { entry.target.click(); }
    });
  }, { rootMargin: '800px 0px' });

  function watchEnds() {
    watched.forEach(function (button) {
      if (!button.isConnected) { near.unobserve(button); watched.delete(button); }
    });
    ['load-more', 'load-newer'].forEach(function (id) {
      var button = document.getElementById(id);
      if (button && !watched.has(button)) { watched.add(button); near.observe(button); }
    });
  }

  function greetDetail() {
    var detail = document.getElementById('detail');
    var id = detail ? detail.dataset.output : '';
    if (id === shown) { return; }
    var before = shown;
    shown = id;
    if (id) {
      var video = player();
      if (video && !still.matches) { video.play().catch(function () {}); }
      sayFrame();
      if (window.innerWidth < 1100) { detail.scrollIntoView({ block: 'start' }); }
    } else if (document.activeElement === document.body) {
      // Whoever closed it goes on from where they were.
      var tile = document.querySelector('#gallery .wan-tile[data-output="' + before + '"] .wan-open');
      if (tile) { tile.focus(); }
    }
  }

  var waiting = false;
  new MutationObserver(function () {
    if (waiting) { return; }
    waiting = true;
    requestAnimationFrame(function () {
      waiting = false;
      if (!page()) { stopPreview(); shown = ''; return; }
      if (under && !under.isConnected) { stopPreview(); }
      watchEnds();
      greetDetail();
    });
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true,
    attributeFilter: ['data-output'] });

  // A dropped video: only its headers travel, however large it is and wherever they stand in it.

  async function headers(file) {
    var parts = [], bytes = 0, offset = 0;
    for (var n = 0; n < 256 && offset + 8 <= file.size; n++) {
      var view = new DataView(await file.slice(offset, offset + 16).arrayBuffer());
      var kind = String.fromCharCode(view.getUint8(4), view.getUint8(5), view.getUint8(6),
        view.getUint8(7));
      var size = view.getUint32(0);
      if (size === 1 && view.byteLength === 16) { size = Number(view.getBigUint64(8)); }
      if (size === 0) { size = file.size - offset; }
      if (size < 8 || (n === 0 && kind !== 'ftyp')) { break; }
      if (kind === 'ftyp' || kind === 'moov') {
        parts.push(file.slice(offset, offset + size));
        bytes += size;
      }
      offset += size;
    }
    return parts.length && bytes <= MOST_HEADER_BYTES ? parts : [file.slice(0, 65536)];
  }

  async function bring(file) {
    var input = document.querySelector('#recipe-drop input[type=file]');
    if (!file || !input) { return; }
    var carrier = new DataTransfer();
    carrier.items.add(new File(await headers(file), file.name, { type: 'video/mp4' }));
    input.files = carrier.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  }

  function carriesFiles(event) {
    return page() && event.dataTransfer && Array.from(event.dataTransfer.types).includes('Files');
  }

  document.addEventListener('dragover', function (event) {
    if (!carriesFiles(event)) { return; }
    event.preventDefault();
    page().classList.add('wan-dropping');
  });
  document.addEventListener('dragleave', function (event) {
    if (page() && !event.relatedTarget) { page().classList.remove('wan-dropping'); }
  });
  document.addEventListener('drop', function (event) {
    if (!carriesFiles(event)) { return; }
    event.preventDefault();
    page().classList.remove('wan-dropping');
    bring(event.dataTransfer.files[0]);
  });
  document.addEventListener('change', function (event) {
    if (event.target.id !== 'recipe-file') { return; }
    bring(event.target.files[0]).finally(function () { event.target.value = ''; });
  });

  window.wan22Outputs = {
    undo: function (id) {
      var button = document.getElementById('undo');
      if (button) { button.dataset.output = id; button.click(); }
    },
  };
  watchEnds();
})();
