// A small shop in SQLite that goes on selling while Sluice follows it. Plain Node, and it knows nothing of Sluice.
//   node shop.mjs open    makes ./data/shop.db with customers and orders
//   node shop.mjs trade   some hundred changes over a few seconds: inserts, updates, deletes, a customer gets another id
// Guarantee: the same shop every time. Among the first changes one order comes from an old till, which writes the lines of an
// order as an object where all others write a list; that order is not touched again.

import { mkdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CUSTOMERS = 20;
const ORDERS = 30;
const CHANGES = 300;
const PAUSE_MS = 10;

const NAMES = [
  'Ada Lovelace',
  'Grace Hopper',
  '佐藤 花子',
  'Nour El-Din',
  'Zoë Müller',
  'Иван Петров',
  "Sinéad O'Neill",
];
const CITIES = ['Bergen', 'Lyon', '東京', 'Zürich', 'Québec'];
const GOODS = [
  { sku: 'tea-green', price: '4.50' },
  { sku: 'tea-black', price: '3.95' },
  { sku: 'pot-iron', price: '89.00' },
  { sku: 'cup-clay', price: '12.20' },
];

mkdirSync(new URL('./data/', import.meta.url), { recursive: true });
const db = new DatabaseSync(fileURLToPath(new URL('./data/shop.db', import.meta.url)), { timeout: 10_000 });
const random = seeded(process.argv[2] === 'open' ? 1 : 2);

if (process.argv[2] === 'open') open();
else if (process.argv[2] === 'trade') await trade();
else throw new Error('say `open` or `trade`');
db.close();

function open() {
  db.exec(`
    pragma journal_mode = wal;
    create table customers (id bigint primary key, name text not null, email text, city text);
    create table orders (
      id bigint primary key, customer_id bigint not null, name text not null, email text,
      status text not null, items text not null, placed_at text not null
    );
    begin;
  `);
  for (let n = 0; n < CUSTOMERS; n++) addCustomer(customerId(n));
  for (let n = 0; n < ORDERS; n++) addOrder(orderId(n), JSON.stringify(someLines()));
  db.exec('commit');
}

async function trade() {
  let customers = CUSTOMERS;
  let orders = ORDERS;
  const touchable = Array.from({ length: ORDERS }, (_, n) => orderId(n));
  for (let change = 0; change < CHANGES; change++) {
    const dice = random();
    if (change === 7) {
      // The old till numbers the lines from 0, and line 1 was taken back: as JSON that is an object, not a list.
      const [first, , third] = [GOODS[0], null, GOODS[2]].map((goods) => goods && { ...goods, quantity: 2 });
      addOrder(orderId(orders++), JSON.stringify({ 0: first, 2: third }));
    } else if (change === 20) {
      db.prepare('update customers set id = ? where id = ?').run(customerId(1000), customerId(3)); // accounts were merged
    } else if (dice < 0.35) {
      const id = orderId(orders++);
      addOrder(id, JSON.stringify(someLines()));
      touchable.push(id);
    } else if (dice < 0.8) {
      const status = pick(['paid', 'packed', 'shipped', 'returned']);
      db.prepare('update orders set status = ? where id = ?').run(status, pick(touchable));
    } else if (dice < 0.87) {
      const [gone] = touchable.splice(Math.floor(random() * touchable.length), 1);
      db.prepare('delete from orders where id = ?').run(gone);
    } else if (dice < 0.94) {
      addCustomer(customerId(customers++));
    } else {
      db.prepare('update customers set city = ? where id = ?').run(pick(CITIES), customerId(5));
    }
    await pause(PAUSE_MS);
  }
}

function addCustomer(id) {
  const name = pick(NAMES);
  const email = random() < 0.1 ? null : `customer.${id % 1000n}@example.com`;
  db.prepare('insert into customers values (?, ?, ?, ?)').run(id, name, email, pick(CITIES));
}

function addOrder(id, items) {
  const buyer = db.prepare('select cast(id as text) as id, name, email from customers where id = ?');
  const { id: customer, name, email } = buyer.get(customerId(Math.floor(random() * 3)));
  const placed = `2026-03-01T09:${String(id % 60n).padStart(2, '0')}:00Z`;
  db.prepare('insert into orders values (?, ?, ?, ?, ?, ?, ?)').run(
    id,
    BigInt(customer),
    name,
    email,
    'new',
    items,
    placed,
  );
}

function someLines() {
  return Array.from({ length: 1 + Math.floor(random() * 3) }, () => ({
    ...pick(GOODS),
    quantity: 1 + Math.floor(random() * 4),
  }));
}

// Beyond 2^53, as ids of a real system may be: a double would round them.
function customerId(n) {
  return 9_007_199_254_740_993n + 2n * BigInt(n);
}

function orderId(n) {
  return 720_000_000_000_000_001n + 2n * BigInt(n);
}

function pick(list) {
  return list[Math.floor(random() * list.length)];
}

function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
