// Loaded before the emulator: it listens on all addresses, and a test must not.
const { Server } = require('node:net')
const listen = Server.prototype.listen
Server.prototype.listen = function (port, ...rest) {
  const done = rest.filter((one) => typeof one === 'function')
  return typeof port === 'number' ? listen.call(this, { port, host: '127.0.0.1' }, ...done) : listen.call(this, port, ...rest)
}
