// Leaves out test orders, and keeps the last four digits of a card.

interface Order {
  id: number;
  card: string;
  test?: boolean;
  placed_at: string;
}

export default (order: Order): Order | null => {
  if (order.test === true) return null; // filtered: its fate is recorded too
  return { ...order, card: order.card.replace(/\d(?=\d{4})/g, '*') };
};
