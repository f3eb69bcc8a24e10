// Keeps what <fair-pay> says, over reloads too, and counts every message that reaches this window.
window.heard = 0;
window.told = JSON.parse(sessionStorage.getItem('told') ?? '[]');
addEventListener('message', () => { window.heard += 1; });
for (const name of ['open', 'pending', 'paid-hint', 'confirmed', 'expired', 'cancel', 'error']) {
  document.addEventListener(`fair:${name}`, (event) => {
    window.told.push(event.detail.code ? `${name} ${event.detail.code}` : name);
    sessionStorage.setItem('told', JSON.stringify(window.told));
  });
}
