// The page asks its own origin; Vite passes on what belongs to the other two.
export default {
  server: {
    proxy: {
      "/api": {
        target: process.env.API_URL,
        rewrite: (path) => path.replace(/^\/api/, ""),
      },
      "/admin": process.env.ADMIN_URL,
      "/static": process.env.ADMIN_URL,
    },
  },
};
